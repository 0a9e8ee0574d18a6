"""The product's own API, under /v1. Requests can choose the stages.

Photos are sent as form files, options as query parameters, and everything else as JSON.
"""
