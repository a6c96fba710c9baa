static int limit(void)
{
	return XDP_DROP;
}
