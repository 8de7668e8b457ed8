"""Gate.io futures: perpetuals margined in USDT (v4).

Not offered by its streams: when funding is next paid, which the list of contracts says; a refusal of contracts that do not exist.
"""
