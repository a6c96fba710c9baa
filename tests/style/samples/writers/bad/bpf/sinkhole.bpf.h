static void grow(struct xdp_md *ctx)
{
	bpf_xdp_adjust_tail(ctx, 1);
}
