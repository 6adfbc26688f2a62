"""Mutation testing: is every line of the operators and optimizers held by a test?"""
