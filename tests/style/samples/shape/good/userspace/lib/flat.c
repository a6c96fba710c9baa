/* A brace in a comment { or a "{" in a string opens nothing. */
static int five(int a, int (*b)(int x, int y), int c, int d, int e)
{
	for (int i = 0; i < a; i++) {
		while (c) {
			if (d) {
				puts("{{{{");
			}
		}
	}
	return e;
}
