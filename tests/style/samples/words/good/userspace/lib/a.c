/* A comment may speak of goto. */
int a;
