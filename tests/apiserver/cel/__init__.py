# SPDX-License-Identifier: GPL-3.0-or-later
"""The Common Expression Language as the API server has it: `x-kubernetes-validations` of CustomResourceDefinitions."""
