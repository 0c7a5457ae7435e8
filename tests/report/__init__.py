"""Tests of the page that `genreg-np report` makes."""
