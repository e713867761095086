"""What every training needs: loop, moving average, checkpoints, augmentation."""
