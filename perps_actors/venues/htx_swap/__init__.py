"""HTX (formerly Huobi) perpetual swaps: linear ones margined in USDT, and coin-margined ones of so many US dollars.

Not offered by the venue: open interest by stream and a bulk form of the mark price (both are asked for over REST); a prediction of the
next funding rate since about 2022 (the field is null). Not read: dated futures, but for what the streams say of linear ones.
"""
