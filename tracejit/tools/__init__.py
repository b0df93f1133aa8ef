"""What helps to look at programs and to trust them."""
from .check_grads import check_grads

__all__ = ["check_grads"]
