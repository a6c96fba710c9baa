static int deep(int a)
{
	for (int i = 0; i < a; i++) {
		while (a) {
			if (a) {
				do {
					a--;
				} while (a);
			}
		}
	}
	return a;
}
