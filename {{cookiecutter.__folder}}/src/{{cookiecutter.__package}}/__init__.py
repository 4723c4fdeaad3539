{{ cookiecutter.__quoted_description }}  # fmt: skip
