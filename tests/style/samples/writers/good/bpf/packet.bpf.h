static void read_it(const struct packet *pkt)
{
	const struct iphdr *ip = pkt->data;
}
