"""What a model file may name of TensorFlow: functions and operators that compute, by exact name.

Nothing here reads or writes a file, prints, talks to another machine, calls Python or takes a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IN_BOTH = """
abs acos acosh add argmax argmin asin asinh atan atan2 atanh cos cosh cumsum divide equal exp floor greater
greater_equal less less_equal logical_and logical_not logical_or maximum minimum multiply negative not_equal
pow reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_sum round
scalar_mul sigmoid sign sin sinh sqrt square subtract tan tanh truediv
"""

"""Functions that stand in ``tf`` and in ``tf.math``."""

_ROOT = """
add_n argsort batch_to_space bitcast boolean_mask broadcast_to cast clip_by_norm clip_by_value complex concat
einsum ensure_shape expand_dims extract_volume_patches eye fill gather gather_nd identity identity_n linspace
matmul meshgrid norm one_hot ones ones_like pad range rank realdiv repeat reshape reverse reverse_sequence
roll saturate_cast scatter_nd searchsorted sequence_mask shape shape_n size slice sort space_to_batch
space_to_batch_nd split squeeze stack stop_gradient strided_slice tensor_scatter_nd_add tensor_scatter_nd_max
tensor_scatter_nd_min tensor_scatter_nd_sub tensor_scatter_nd_update tensordot tile transpose truncatediv
truncatemod unique unique_with_counts unstack where zeros zeros_like
"""

_MATH = """
accumulate_n add_n angle bessel_i0 bessel_i0e bessel_i1 bessel_i1e betainc bincount ceil conj count_nonzero
cumprod cumulative_logsumexp digamma divide_no_nan erf erfc erfcinv erfinv expm1 floordiv floormod igamma
igammac imag invert_permutation is_finite is_inf is_nan l2_normalize lbeta lgamma log log1p log_sigmoid
log_softmax logical_xor mod multiply_no_nan ndtri nextafter polygamma polyval real reciprocal
reciprocal_no_nan reduce_euclidean_norm reduce_std reduce_variance rint rsqrt segment_max segment_mean
segment_min segment_prod segment_sum softmax softplus softsign squared_difference top_k unsorted_segment_max
unsorted_segment_mean unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum
xdivy xlog1py xlogy zero_fraction zeta
"""

_NN = """
atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d
batch_norm_with_global_normalization batch_normalization bias_add conv1d conv1d_transpose conv2d
conv2d_transpose conv3d conv3d_transpose conv_transpose convolution crelu depth_to_space depthwise_conv2d
dilation2d dropout elu embedding_lookup erosion2d gelu l2_normalize leaky_relu local_response_normalization
log_softmax lrn max_pool max_pool1d max_pool2d max_pool3d max_pool_with_argmax moments normalize_moments pool
relu relu6 selu separable_conv2d sigmoid silu softmax softplus softsign space_to_batch space_to_depth swish
tanh top_k zero_fraction
"""

_IMAGE = """
adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop
combined_non_max_suppression convert_image_dtype crop_and_resize crop_to_bounding_box extract_patches
flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb image_gradients non_max_suppression
non_max_suppression_padded non_max_suppression_with_scores pad_to_bounding_box per_image_standardization
resize resize_area resize_bicubic resize_bilinear resize_image_with_crop_or_pad resize_nearest_neighbor
resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 sobel_edges
transpose yiq_to_rgb yuv_to_rgb
"""

_LINALG = """
adjoint band_part cholesky cross det diag diag_part eigh einsum eye inv l2_normalize logdet matmul
matrix_transpose matvec norm normalize pinv set_diag solve tensor_diag tensor_diag_part tensordot trace
triangular_solve
"""

_SIGNAL = """
dct fft fft2d fft3d fftshift frame hamming_window hann_window idct ifft ifft2d ifft3d ifftshift irfft irfft2d
irfft3d linear_to_mel_weight_matrix mfccs_from_log_mel_spectrograms overlap_and_add rfft rfft2d rfft3d stft
"""

_BACKEND = """
abs all any argmax argmin batch_dot batch_flatten batch_normalization bias_add cast clip concatenate conv1d
conv2d conv2d_transpose conv3d cos cumprod cumsum depthwise_conv2d dot elu equal exp expand_dims flatten
gather greater greater_equal hard_sigmoid l2_normalize less less_equal log max maximum mean min minimum
not_equal one_hot ones_like permute_dimensions pool2d pool3d pow prod relu repeat repeat_elements reshape
resize_images resize_volumes reverse round separable_conv2d shape sigmoid sign sin softmax softplus softsign
spatial_2d_padding spatial_3d_padding sqrt square squeeze stack std stop_gradient sum tanh temporal_padding
tile transpose var zeros_like
"""

_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "": _IN_BOTH + _ROOT,
        "math.": _IN_BOTH + _MATH,
        "nn.": _NN,
        "image.": _IMAGE,
        "linalg.": _LINALG,
        "signal.": _SIGNAL,
        "bitwise.": "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift",
        "quantization.": """
            fake_quant_with_min_max_args fake_quant_with_min_max_vars fake_quant_with_min_max_vars_per_channel
            quantize_and_dequantize_v2
            """,
        "random.": "normal truncated_normal uniform",
        "dtypes.": "cast complex saturate_cast",
        "keras.backend.": _BACKEND,
        "keras.activations.": """
            elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish
            tanh
            """,
        "__operators__.": "add eq getitem ne",
    }
)

FUNCTIONS = frozenset(
    f"{version}{prefix}{name}"
    for prefix, names in _PARTS.items()
    for name in names.split()
    for version in ("", "compat.v1.", "compat.v2.")
)
"""Functions that a TFOpLambda may name."""

OPERATORS = _names(
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrastv2 AdjustHue AdjustSaturation All Angle Any
    ApproxTopK ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool AvgPool3D BatchMatMul
    BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND BesselI0
    BesselI0e BesselI1 BesselI1e Betainc BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor
    BroadcastArgs BroadcastTo Bucketize Cast Ceil Cholesky ClipByValue CombinedNonMaxSuppression Complex
    ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv Conv2D Conv2DBackpropInput
    Conv3D Conv3DBackpropInputV2 Cos Cosh CropAndResize Cross Cumprod Cumsum CumulativeLogsumexp
    DataFormatDimMap DataFormatVecPermute DenseBincount DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dequantize Diag DiagPart Digamma Dilation2D Div DivNoNan
    DynamicPartition DynamicStitch Einsum Elu EnsureShape Equal Erf Erfc Erfinv EuclideanNorm Exp ExpandDims
    Expint Expm1 ExtractImagePatches ExtractVolumePatches FFT FFT2D FFT3D FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual HSVToRGB
    HistogramFixedWidth IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D Identity IdentityN Igamma Igammac Imag
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 InTopK InTopKV2 Inv Invert InvertPermutation
    IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeftShift Less LessEqual Lgamma LinSpace Log Log1p
    LogMatrixDeterminant LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound Lu MatMul MatrixBandPart
    MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
    MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixTriangularSolve Max MaxPool
    MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Mfcc Min Minimum MirrorPad Mod Mul MulNoNan Ndtri Neg
    NextAfter NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
    NonMaxSuppressionV5 NotEqual NthElement OneHot OnesLike Pack Pad PadV2 ParallelConcat
    ParallelDynamicStitch Polygamma PopulationCount Pow PreventGradient Prod QuantizeAndDequantize
    QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 RFFT RFFT2D RFFT3D
    RGBToHSV RandomStandardNormal RandomUniform RandomUniformInt Range Rank Real RealDiv Reciprocal Relu Relu6
    Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor Reverse ReverseSequence ReverseV2
    RightShift Rint Roll Round Rsqrt ScaleAndTranslate ScatterNd SegmentMax SegmentMean SegmentMin SegmentProd
    SegmentSum Select SelectV2 SelfAdjointEigV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot
    Softmax Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Sqrt Square
    SquaredDifference Squeeze StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
    StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2
    StopGradient StridedSlice Sub Sum Svd Tan Tanh TensorScatterAdd TensorScatterMax TensorScatterMin
    TensorScatterSub TensorScatterUpdate Tile TopK TopKV2 Transpose TruncateDiv TruncateMod TruncatedNormal
    Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex UnsortedSegmentMax
    UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound Where Xdivy Xlog1py Xlogy ZerosLike
    Zeta
    """
)
"""Operators that a TensorFlowOpLayer may be: each computes its outputs from its inputs."""

GRAPH_OPERATORS = OPERATORS | _names(
    """
    Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp AvgPool3DGrad AvgPoolGrad BiasAddGrad
    BroadcastGradientArgs Case CheckNumerics Conv2DBackpropFilter Conv3DBackpropFilterV2 CudnnRNN
    CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3 CudnnRNNV2 CudnnRNNV3
    DepthwiseConv2dNativeBackpropFilter DisableCopyOnRead EluGrad EmptyTensorList Enter Exit FakeParam
    FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 If InvGrad LSTMBlockCell LeakyReluGrad
    LogSoftmax LoopCond MaxPool3DGrad MaxPoolGrad Merge MergeV2Checkpoints MirrorPadGrad NextIteration NoOp
    OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone PartitionedCall Placeholder
    PlaceholderWithDefault ReadVariableOp ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad
    ResizeBilinearGrad ResizeNearestNeighborGrad ResourceApplyAdaMax ResourceApplyAdadelta
    ResourceApplyAdagrad ResourceApplyAdagradV2 ResourceApplyAdam ResourceApplyAdamWithAmsgrad
    ResourceApplyCenteredRMSProp ResourceApplyFtrl ResourceApplyFtrlV2 ResourceApplyGradientDescent
    ResourceApplyKerasMomentum ResourceApplyMomentum ResourceApplyRMSProp ResourceGather ResourceGatherNd
    ResourceScatterAdd ResourceScatterUpdate ResourceSparseApplyAdagrad ResourceSparseApplyAdagradV2
    ResourceSparseApplyFtrl ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum
    ResourceSparseApplyRMSProp ResourceStridedSliceAssign RestoreV2 RngReadAndSkip RngSkip RsqrtGrad SaveV2
    SeluGrad ShardedFilename SigmoidGrad SoftmaxCrossEntropyWithLogits SoftplusGrad SoftsignGrad
    SparseSoftmaxCrossEntropyWithLogits SqrtGrad StatefulPartitionedCall StatefulStandardNormalV2
    StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessCase
    StatelessIf StatelessWhile StaticRegexFullMatch StaticRegexReplace StridedSliceGrad StringJoin Switch
    TanhGrad TensorListConcatLists TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
    TensorListResize TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack VarHandleOp VarIsInitializedOp VariableShape While
    """
)
"""Operators in the graph of a SavedModel; it is looked at and never run.

To those that compute come functions and control flow, variables, what saves and restores these, and what
training and the gradients of layers need.
"""

RUN_OPERATORS = OPERATORS | _names(
    """
    Assert Case CheckNumerics EmptyTensorList Enter Exit FakeParam If LoopCond Merge NextIteration NoOp
    PartitionedCall Placeholder PlaceholderWithDefault ReadVariableOp ResourceGather ResourceGatherNd
    StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch TensorListConcatLists
    TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather TensorListGetItem
    TensorListLength TensorListPopBack TensorListPushBack TensorListReserve TensorListResize
    TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack
    VariableShape While
    """
)
"""Operators of a graph that is run: to those that compute come functions, control flow and reading variables.

The functions that they name are checked with them, and an ``Assert`` that does not hold is an error.
"""
