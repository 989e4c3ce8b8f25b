"""Avatars: pictures that users upload of themselves, made small, kept once, and deleted when nobody shows them.

Here belongs what a picture becomes and whose it is. The request that brings one does not, nor the worker's process.
"""
