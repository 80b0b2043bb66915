"""What a model file may name: classes and functions of Keras that compute, by exact name.

``allowed_tensorflow`` has the same for operators and functions of TensorFlow. A name that is missing here is
refused with its name; adding one means to have looked at what it does with all that a file may hand to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAYERS = _names(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D AveragePooling2D
    AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization Bidirectional CategoryEncoding
    CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D
    Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose
    Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout
    ELU EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
    GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity InputLayer
    IntegerLookup LSTM LSTMCell LayerNormalization LeakyReLU LocallyConnected1D LocallyConnected2D Masking
    MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum
    MelSpectrogram Minimum MixUp MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
    RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight
    RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
    RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape
    Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D
    SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D SpatialDropout2D
    SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract TextVectorization
    ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
    ZeroPadding2D ZeroPadding3D
    """
)

MODELS = frozenset({"Functional", "Model", "Sequential"})

OPERATION_LAYERS = frozenset({"SlicingOpLambda", "TFOpLambda", "TensorFlowOpLayer"})
"""Layers of tf_keras that name a function or an operator of TensorFlow."""

INITIALIZERS = _names(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal
    LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer
    TruncatedNormal VarianceScaling Zeros constant glorot_normal glorot_uniform he_normal he_uniform identity
    lecun_normal lecun_uniform normal one ones orthogonal random_normal random_uniform stft truncated_normal
    uniform variance_scaling zero zeros
    """
)

REGULARIZERS = _names("L1 L1L2 L2 OrthogonalRegularizer l1 l1_l2 l2 orthogonal_regularizer")

CONSTRAINTS = _names(
    """
    MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm max_norm maxnorm min_max_norm minmaxnorm non_neg
    nonneg radial_constraint unit_norm unitnorm
    """
)

ACTIVATIONS = _names(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
    sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """
)

POLICIES = _names("DTypePolicy DTypePolicyMap FloatDTypePolicy Policy")

# Those that say that a model is quantized already: known, so that the error can say so.
QUANTIZED = _names(
    """
    AWQDTypePolicy AbsMaxQuantizer GPTQDTypePolicy Int4DTypePolicy QuantizedDTypePolicy
    QuantizedFloat8DTypePolicy
    """
)

# Operations of Keras 3, by the module that has them. Missing are those that take functions.
OPERATIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "numpy": _names(
            """
            Abs Absolute Add All Amax Amin Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2
            Arctanh Argmax Argmin Argsort Array Average Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift
            BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor BroadcastTo Cbrt Ceil Clip Concatenate Conj
            Conjugate Copy Cos Cosh CountNonzero Cross Cumprod Cumsum Deg2rad Diag Diagflat Diagonal Diff
            Digitize Divide DivideNoNan Dot Einsum EmptyLike Equal Exp Exp2 ExpandDims Expm1 Flip Floor
            FloorDivide Full FullLike GetItem Greater GreaterEqual Heaviside Hstack Hypot Imag Inner Isclose
            Isfinite Isinf Isnan Kron LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 Logaddexp
            LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Matmul Max Maximum Mean Median Meshgrid Min
            Minimum Mod Moveaxis Multiply NanToNum Ndim Negative Nonzero NotEqual OnesLike Outer Pad Power
            Prod Quantile Ravel Real Reciprocal Repeat Reshape RightShift Roll Rot90 Round SearchSorted Select
            Sign Signbit Sin Sinh Size Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take
            TakeAlongAxis Tan Tanh Tensordot Tile Trace Transpose Tri Tril Triu TrueDivide Trunc Vander Var
            Vdot Vstack Where ZerosLike
            """
        ),
        "nn": _names(
            """
            AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace
            DepthwiseConv DotProductAttention Elu Fold Gelu Glu HardShrink HardSigmoid HardSilu HardTanh
            LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool Moments MultiHot Normalize OneHot RMSNorm Relu
            Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus Softsign SpaceToDepth SparsePlus
            SparseSigmoid Sparsemax Squareplus TanhShrink Threshold Unfold
            """
        ),
        "math": _names(
            """
            Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 IRFFT ISTFT InTopK Logdet Logsumexp RFFT Rsqrt
            STFT SegmentMax SegmentSum TopK
            """
        ),
        "core": _names(
            """
            Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack
            """
        ),
        "image": _names(
            """
            AffineTransform CropImages ExtractPatches GaussianBlur HSVToRGB MapCoordinates PadImages
            PerspectiveTransform RGBToGrayscale RGBToHSV Resize SobelEdges
            """
        ),
        "linalg": _names("Cholesky Det Eigh Inv LuFactor Norm Qr SVD Solve SolveTriangular"),
    }
)

VALUES = _names(
    """
    TensorShape __bytes__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__
    """
)
"""Marks that Keras puts around plain values."""

DTYPES = _names(
    """
    bfloat16 bool float16 float32 float64 int16 int32 int64 int8 uint16 uint32 uint64 uint8
    """
)
"""Types of numbers; a name such as ``S1000000000`` would make one element a gigabyte."""

_LAYER_MODULES = ("keras.layers", "tf_keras.layers")
_MODEL_MODULES = (
    *("keras", "keras.models", "tf_keras", "tf_keras.models"),
    *("keras.src.models.functional", "keras.src.models.model", "keras.src.models.sequential"),
    *(
        f"{library}.engine.{kind}"
        for library in ("keras", "keras.src", "tf_keras.src")
        for kind in ("functional", "sequential", "training")
    ),
)
_OPERATION_LAYER_MODULES = tuple(
    f"{library}.layers.core.tf_op_layer" for library in ("keras", "keras.src", "tf_keras.src")
) + tuple(f"{library}.engine.base_layer" for library in ("keras", "keras.src", "tf_keras.src"))
_ALSO_IN_KERAS = {"InputLayer", "DTypePolicy"}


def _by_module() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = dict.fromkeys(_LAYER_MODULES, LAYERS)
    found |= dict.fromkeys(_MODEL_MODULES, MODELS)
    found |= dict.fromkeys(("keras", "tf_keras"), MODELS | _ALSO_IN_KERAS)
    found |= dict.fromkeys(_OPERATION_LAYER_MODULES, OPERATION_LAYERS)
    for part, names in (
        ("initializers", INITIALIZERS),
        ("regularizers", REGULARIZERS),
        ("constraints", CONSTRAINTS),
        ("dtype_policies", POLICIES),
        ("mixed_precision", POLICIES),
    ):
        found |= dict.fromkeys((f"keras.{part}", f"tf_keras.{part}"), names)
    found |= {f"keras.src.ops.{part}": names for part, names in OPERATIONS.items()}
    # Keras's own applications have two layers of their own.
    found |= {"keras.src.applications.convnext": frozenset({"LayerScale", "StochasticDepth"})}
    return found


BY_MODULE: Mapping[str, frozenset[str]] = MappingProxyType(_by_module())
"""Module as a file names it -> classes that it may name there."""

WITHOUT_MODULE = frozenset().union(
    LAYERS, MODELS, OPERATION_LAYERS, INITIALIZERS, REGULARIZERS, CONSTRAINTS, POLICIES
)
"""Classes that an older file names without a module."""

FUNCTION_MODULES: Mapping[str | None, frozenset[str]] = MappingProxyType(
    dict.fromkeys(
        (None, "builtins", "keras.activations", "tf_keras.activations", "keras.ops", "keras.ops.nn"),
        ACTIVATIONS,
    )
)
"""Module of a function -> functions that a file may name there."""

BY_KEY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "activation": ACTIVATIONS,
        "initializer": INITIALIZERS,
        "regularizer": REGULARIZERS,
        "constraint": CONSTRAINTS,
    }
)
"""End of a setting's name -> what Keras looks its value up in, where the value is a text."""
