"""Binance COIN-M futures: another dialect of what Binance USD-M speaks."""
