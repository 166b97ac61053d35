"""From answer records to what is stored of them: pure functions of the attribution job."""
