"""Does it still compute what it should: parity of runtimes, agreement with the original, signs of trouble."""
