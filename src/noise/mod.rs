//! Every random number of the program: generators equal to PyTorch's, and noise pictures.
