"""fine"""
