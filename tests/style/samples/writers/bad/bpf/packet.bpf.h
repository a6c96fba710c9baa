static void write_it(struct iphdr *ip)
{
	ip->ttl = 64;
}
