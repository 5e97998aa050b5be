"""Google Cloud: the billing export, Cloud Monitoring, the Recommender and Cloud Billing budgets."""
