"""What to do to a model: the table of passes, and a TOML recipe as frozen and validated records.

A recipe with every key at its default::

    seed = 0

    [equalize]                     # leave the section out for no equalization
    clipped = 0.001                # a clip at 6 goes where it changes no larger share of the positive values
    include = ["*"]                # layers whose outputs may be divided: names or classes, with * and ?
    exclude = []

    [channels]                     # leave the section out to keep all channels
    share = 0.5                    # share of the multiply-accumulates that goes, with whole channels;
                                   # or, in its place, as many as it takes for one or more of
    # latency_ms = 50.0            #   time of an inference on the target, in milliseconds
    # flash_kib = 256.0            #   flash on the target, in KiB
    # ram_kib = 64.0               #   RAM on the target, in KiB
    importance = "taylor"          # or "magnitude"; see squeeze/passes/importance.py
    step = 4                       # channels stay in multiples of it; those of the target's kernels if unset
    include = ["*"]                # layers whose channels may go: names or classes, with * and ?
    exclude = []

    [prune]                        # leave the section out for no pruning
    sparsity = 0.5                 # share of each kernel that becomes zero
    schedule = "polynomial"        # or "constant"
    structure = "unstructured"     # or "device", "2:4", "block"; what pays on the target if unset
    block = [1, 4]                 # rows and columns, for structure = "block"
    include = ["*"]                # layer names or classes, with * and ?
    exclude = []
    first_and_last = "auto"        # or "include", "exclude"; see squeeze/passes/selection.py

    [bits]                         # leave the section out for eight
    weights = 4                    # fifteen even levels for each channel; for mode = "int8"
    # budget_kib = 64.0            # as few kernels of four bits as bring all weights to so many KiB, or
    # max_error = 0.01             # as many as change the outputs by no more, a share of their variance
    include = ["*"]
    exclude = []
    first_and_last = "auto"

    [cluster]                      # leave the section out for no clustering
    clusters = 16                  # distinct values of a whole kernel, zero included
    init = "kmeans++"              # or "linear", "random", "density"
    include = ["*"]
    exclude = []
    first_and_last = "auto"

    [round]                        # leave the section out for the nearest integers
    include = ["*"]
    exclude = []

    [bias]                         # leave the section out to correct no biases
    include = ["*"]
    exclude = []

    [aware]                        # leave the section out for rounding after training only
    learn_ranges = true            # the ranges of activations are trained too

    [finetune]
    epochs = 20                    # over all stages together, 0 trains nothing; unset: while it helps
    batch_size = 64
    learning_rate = 5e-3           # highest of Adam; unset: the best of a few
    loss = "distill"               # or the name of a Keras loss, which needs labels
    labels = 0.0                   # part of the loss that is of labels, mixed into "distill"
    augment = ["noise"]            # "mix"; of images "flip", "shift", "brightness"; unset: as is best

    [quantize]
    mode = "int8"                  # "int16x8", "float16", "dynamic", "none"; the target's preference if unset
    io = "int8"                    # "uint8", "float32"; the target's preference if unset
    calibration_samples = 200
    calibration = "minmax"         # or "percentile", "mse", "entropy"; "best" of them for each activation
    percentile = 0.9999            # share of the values that calibration = "percentile" has in a range

    [data]
    scale = 1.0                    # input = raw * scale + offset; a number, or one for each
    offset = 0.0                   # channel or feature, along the last axis: [0.5, 0.25, 2.0]
    lift_normalization = false     # take a normalization that stands first out of the model
    evaluation_samples = 2000      # how many test samples the result is judged on, at most

    [limits]
    max_accuracy_drop = 0.01       # a share: 0.01 is one point; unset for no limit
"""
