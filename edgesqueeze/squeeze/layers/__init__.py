"""What a kernel is: walking, rewriting and quantizing the layers of a tf_keras model."""
