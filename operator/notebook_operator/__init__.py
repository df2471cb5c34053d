# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator of NotebookValidationJobs: notebooks validated in the cluster, by the engine of the collection."""
