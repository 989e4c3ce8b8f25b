"""Adapters of `rhythmd.ports.BlobStore`.

- `rhythmd.store.blobs.directory`   a folder, the default
- `rhythmd.store.blobs.gridfs`      MongoDB
- `rhythmd.store.blobs.s3`          whatever speaks S3
"""
