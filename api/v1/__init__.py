"""The product's own API, below /v1: every graph, with the choice of its stages in the request.

Photos travel as files of a form, options as query parameters, everything else as JSON.
"""
