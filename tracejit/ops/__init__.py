"""What an operation is: one file a family, each op's whole definition in one place."""
