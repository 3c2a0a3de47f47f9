"""State of health of a traction battery: estimators with an honest uncertainty. Pure: Arrow in, Arrow out, no I/O."""
