"""What calls people when something happens to a DAG or a task."""
