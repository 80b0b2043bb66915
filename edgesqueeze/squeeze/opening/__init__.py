"""From a model file to a flat tf_keras model: what may be opened, and how it is rebuilt."""
