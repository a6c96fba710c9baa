"""not"""
def f(:
