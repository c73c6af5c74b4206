"""What a server is asked, a file a subject.

```
predicting   POST /predict, POST /predict/batch
labelling    POST /feedback
telling      GET /health, GET /health/live, GET /model/info, GET /metrics
mlflow       /ping, /version, /invocations: as MLflow's own server is asked
```
"""
