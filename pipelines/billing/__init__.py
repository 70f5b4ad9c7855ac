"""Model spend as bills have it: the rows of FOCUS, the FinOps Open Cost and Usage Specification."""
