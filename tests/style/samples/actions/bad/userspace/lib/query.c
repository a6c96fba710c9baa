int f(int action)
{
	return action == XDP_TX;
}
