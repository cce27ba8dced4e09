"""Layers that are refused by name, each with the reason."""

_RECURRENT = "recurrent layers are not supported"
_TEXT = "text and lookup layers are not supported; do this step in the app"
_VOLUME = "layers on volumes (3-D) are not supported"

REASONS: dict[str, str] = {
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "CuDNNLSTM", "CuDNNGRU"), _RECURRENT
    ),
    **dict.fromkeys(
        ("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "HashedCrossing", "Discretization", "CategoryEncoding"),
        _TEXT,
    ),
    **dict.fromkeys(
        (
            "Conv3D", "Conv3DTranspose", "MaxPooling3D", "AveragePooling3D", "GlobalMaxPooling3D", "GlobalAveragePooling3D",
            "ZeroPadding3D", "Cropping3D", "UpSampling3D", "SpatialDropout3D",
        ),
        _VOLUME,
    ),
    "Masking": "masks are not supported; feed sequences of one length",
    "Embedding": "embeddings are not supported; feed the vectors",
}  # fmt: skip
"""Layer class name to the reason."""
