"""Keeps a trained net as an MLflow model."""


def attach(*a):
    pass
