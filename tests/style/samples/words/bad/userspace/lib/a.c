void f(void)
{
	goto out;
out:
	return;
}
