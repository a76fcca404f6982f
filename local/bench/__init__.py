"""How fast Holdfast is, how many calls it makes and how large it is, next to the plain ways: `make bench`."""
