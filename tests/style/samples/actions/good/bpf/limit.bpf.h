/* Comments may say XDP_DROP; code returns verdicts. */
static int limit(void)
{
	return DG_DROP_LIMITED;
}
