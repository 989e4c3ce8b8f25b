"""Adapters of the storage ports.

- `rhythmd.store.sqlite`      a file, the default
- `rhythmd.store.documents`   MongoDB, through `rhythmd.store.mongo`, which alone knows its drivers
- `rhythmd.store.blobs`       files: in a folder, the default, in MongoDB, or behind S3
- `rhythmd.store.cache`       the cache of one process
"""
