"""Regressors that find out which symmetries their data has, and how strongly.

After Kim, Lee, Yang and Lee, "Regularizing Towards Soft Equivariance Under Mixed Symmetries" (PER, arXiv 2306.00356).
"""
