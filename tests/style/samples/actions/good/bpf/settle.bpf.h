static int settle(void)
{
	return XDP_PASS;
}
