"""One module per architecture, with a function ``export(card, folder)``.

It reads `card.files` from `folder` and writes `card.exports` into it, directly from the weights and without their
framework.
"""
