"""One module per architecture, with a function ``export(card, folder)``.

It builds `card.exports` in `folder` from the weights in `card.files` there, without the framework of the weights.
"""
