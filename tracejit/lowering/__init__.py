"""Graph to program: which values are stored, which loops are shared, where memory is, and then the code for one target."""
