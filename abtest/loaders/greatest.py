"""Classifiers that, by their own code, predict the class of the greatest score.

Of these one pass gives labels and scores. Of others it does not: a support vector machine calibrates its probabilities
apart from its labels, a threshold of one's own overrules the greatest, and what other people's code does only it knows.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Follows: TypeAlias = Literal["always", "unless near"]

# By the classes of scikit-learn that define ``predict`` and the scores, as they are in 1.5 and in 1.9. "always":
# predict takes the greatest of these very numbers. "unless near": both come of the same sums by a monotone function,
# which may round two of them to one number; a tie may then go either way.
_KNOWN: dict[tuple[str, str], Follows] = {
    ("ForestClassifier", "ForestClassifier"): "always",
    ("BaseDecisionTree", "DecisionTreeClassifier"): "always",
    ("BaggingClassifier", "BaggingClassifier"): "always",
    ("CalibratedClassifierCV", "CalibratedClassifierCV"): "always",
    ("VotingClassifier", "VotingClassifier"): "always",  # which has probabilities where it does not count votes
    ("LinearClassifierMixin", "LinearClassifierMixin"): "always",  # a decision score of two classes
    ("_RidgeClassifierMixin", "LinearClassifierMixin"): "always",
    ("LinearClassifierMixin", "LogisticRegression"): "unless near",
    ("LinearClassifierMixin", "LinearDiscriminantAnalysis"): "unless near",
    ("LinearClassifierMixin", "SGDClassifier"): "unless near",
    ("_BaseNB", "_BaseNB"): "unless near",
    ("MLPClassifier", "MLPClassifier"): "unless near",
    ("AdaBoostClassifier", "AdaBoostClassifier"): "unless near",
    ("GradientBoostingClassifier", "GradientBoostingClassifier"): "unless near",
    ("HistGradientBoostingClassifier", "HistGradientBoostingClassifier"): "unless near",
}


def labels_follow(estimator: Any, method: str) -> Follows | None:  # noqa: ANN401 - any library's model
    """Say whether an estimator's labels are the classes of its greatest scores; None where nobody knows.

    Args:
        estimator: Fitted, of one output.
        method: What gives the scores, and is there: "predict_proba" or "decision_function".

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.svm import SVC
        >>> labels_follow(LogisticRegression(), "predict_proba"), labels_follow(SVC(), "predict_proba")
        ('unless near', None)
    """
    owners = _owner(estimator, "predict"), _owner(estimator, method)
    if owners == ("Pipeline", "Pipeline"):
        return labels_follow(estimator.steps[-1][1], method)
    if owners == ("BaseSearchCV", "BaseSearchCV"):
        return labels_follow(estimator.best_estimator_, method)
    return _KNOWN.get(owners)


def _owner(estimator: Any, method: str) -> str:  # noqa: ANN401 - any library's model
    """Name the class of scikit-learn that defines a method; none where somebody else did."""
    if method in getattr(estimator, "__dict__", {}):
        return ""
    found = next((kind for kind in type(estimator).__mro__ if method in vars(kind)), None)
    return found.__qualname__ if found is not None and found.__module__.startswith("sklearn.") else ""
