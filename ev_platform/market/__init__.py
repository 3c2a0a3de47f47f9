"""The vehicle sales market: Kaggle or a CSV → raw snapshots → refined sales → marts and depreciation curves."""
