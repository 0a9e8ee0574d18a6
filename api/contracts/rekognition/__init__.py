"""The contract of Amazon Rekognition: its operations on faces, for unmodified AWS clients.

All operations are ``POST /`` with JSON. `operations` lists them, `endpoint` serves them, and `responses` has their
errors. The request models enforce AWS's documented constraints. Answers are plain JSON objects, which the tests check
against botocore's model of the service.
"""
