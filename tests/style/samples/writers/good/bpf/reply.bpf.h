static void write_it(struct iphdr *ip)
{
	bpf_xdp_adjust_tail(ctx, 1);
	ip->ttl = 64;
}
