"""What it owns."""
